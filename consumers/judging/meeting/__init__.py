"""Who is whom: candidates by name, introductions, holds, those that part and those that come together again."""
