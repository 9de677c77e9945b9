"""Who is asking and what he may see: rights, profiles, the view that results, connected apps, access tokens."""
