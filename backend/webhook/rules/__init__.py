"""What a webhook is, what it says and when it is sent again: pure decisions."""
