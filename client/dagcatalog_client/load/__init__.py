"""Loads folders of DAG files into the catalog: finds files, writes what they gave, tells what came of it."""
