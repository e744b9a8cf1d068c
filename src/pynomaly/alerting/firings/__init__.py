"""Each time that an alert fired: how long, who acted, what was told of it."""
