"""The catalog server: `rpc` speaks protobuf, `catalog` decides, `store` keeps, `watch` tells."""
