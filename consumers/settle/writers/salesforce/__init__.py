"""How plans become calls to Salesforce: records, members of campaigns, amounts in other currencies."""
