-- Each version of the rules with the part of the configuration that makes them, in the form of the file, so that it can be gone back to.

alter table config_versions add column file jsonb;  -- null: of a version before this one; it has no secrets, which are elsewhere
