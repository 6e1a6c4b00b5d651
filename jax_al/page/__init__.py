"""The page on which people label: a small server, and what it sends to the browser."""
