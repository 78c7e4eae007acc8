"""The only place where protobuf messages and the client's model meet."""
