"""The dashboard of ptrain: it reads run directories, and shares nothing else with the engine."""
