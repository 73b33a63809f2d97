"""Credit+ (信用+): a city's voluntary, explainable, incentive-only credit service."""
