"""What a study found, as one JSON object: the measured front with intervals, baselines, comparisons and a verdict."""
