"""What was told to whom: the state by which repetitions are avoided, and the history."""
