"""One writer per system: plans become calls, answers become outcomes. `port` says what a writer promises."""
