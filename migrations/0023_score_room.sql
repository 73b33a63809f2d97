-- Why: a new scorecard writes every score anew. A page that is less than half full takes the new
-- version of each of its rows in, and no index is touched (a HOT update, as long as `due_on` stays);
-- one that is full sends them to new pages, with an entry in every index for each. Either way the
-- table is twice as large after the first such pass, so the room costs nothing that wasn't taken.
ALTER TABLE score SET (fillfactor = 45);
