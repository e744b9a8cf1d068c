"""How a notification reaches a receiver: attempts, their pace, and what becomes of the rest."""
