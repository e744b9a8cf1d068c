"""How metrics, logs and spans reach a server without holding up the application."""
