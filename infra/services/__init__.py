"""One server a module: each is a child process with a folder of its own, on ports of 127.0.0.1."""
