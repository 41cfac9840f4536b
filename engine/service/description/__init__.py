"""The service described: schemas, answers, calls, and how they are shown. Data and text; knows no request."""
