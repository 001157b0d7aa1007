"""bundles: models, documents, evals and policy leave in a signed bundle and arrive where no network is."""
