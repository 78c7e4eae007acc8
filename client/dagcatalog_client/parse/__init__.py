"""Parses DAG files with Airflow, each in a process of its own that can do no harm.

    dagctl ── Parser ──▶ zygote (imports Airflow once) ──fork──▶ keeper ──fork──▶ child

The zygote waits for requests. For each it forks a keeper, which forks the child that runs the DAG
file, holds it to its limits, and ends whatever it leaves behind. The child's answer travels through
the keeper to the Parser as length-prefixed JSON. Nothing here imports grpc or click: a process that
forks must not hold a gRPC channel, and the interpreter that has Airflow need not have either.
"""
