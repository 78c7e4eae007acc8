"""The wire: the only room of the server that knows protobuf and grpc."""
