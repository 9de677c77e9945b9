-- States are stored in a shorter form that the version before can't read. So that its workers stop, and say why, rather than take such states
-- for damaged, the column that each of their statements asks for has another name from now on: replace all workers at once.
alter table pairs rename column decided to told_in;  -- the last block with a decision about it
