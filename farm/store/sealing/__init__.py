"""What proves that data is as it was: digests, and a signature over them."""
