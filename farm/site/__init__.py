"""All runs as a folder of static pages: index, trends, reports, digests."""
