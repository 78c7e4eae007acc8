"""The two ways to wait for a call: blocking and asyncio. They decide nothing."""
