"""The use cases: ingest notices, address finds the people, dispatch sends, upkeep keeps house."""
