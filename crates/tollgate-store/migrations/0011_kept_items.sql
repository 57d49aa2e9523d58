-- In which kept answer an item is, or in its input: requests refer to items by their ids alone.
CREATE TABLE kept_items (
    -- As that of the answer.
    owner    TEXT NOT NULL,
    id       TEXT NOT NULL,
    -- The latest, where a provider gives an id twice.
    response TEXT NOT NULL REFERENCES kept_responses (id) ON DELETE CASCADE,
    PRIMARY KEY (owner, id)
);
CREATE INDEX kept_items_by_response ON kept_items (response);
