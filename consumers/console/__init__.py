"""The console in the browser, and the HTTP API beneath it: pages and documents made of what `consumers.answers` returns. It computes
nothing of its own about records; whoever signs in, what each may see, and how a page looks are its own."""
