"""The only code that talks to a provider: transport (aiohttp), client (typed calls), failures."""
