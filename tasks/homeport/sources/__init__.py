"""What lies on disk: build contexts, walked and hashed as BuildKit would look at them."""
