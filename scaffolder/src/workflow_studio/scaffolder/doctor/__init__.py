"""Say what is right and wrong with this machine, this app and the worker it points to."""
