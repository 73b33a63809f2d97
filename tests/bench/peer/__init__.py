"""The same check the usual way, to be measured against: FastAPI, SQLAlchemy, joserfc, redis-py."""
