"""What is listed: tables whose columns are declared once, for a page, for a spreadsheet and for programs."""
