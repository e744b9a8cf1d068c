"""What people type. ``main`` works, with a hint, even where only the base install is there."""
