"""What people do: label, predict, export, and learn how right it is."""
