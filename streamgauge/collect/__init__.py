"""Taking samples in (remote write, JSON, scrapes) and putting them on `metrics.raw` as batches."""
