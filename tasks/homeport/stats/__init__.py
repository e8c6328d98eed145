"""What a running stack uses of its limits, over a time, and what to change about them."""
