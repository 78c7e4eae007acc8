"""Every RPC as a value: the request, its deadline, and how its answer is read. No I/O here."""
