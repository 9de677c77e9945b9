"""How plans become calls to Marketo: people, what is kept under keys of ours, members of programs, custom activities."""
