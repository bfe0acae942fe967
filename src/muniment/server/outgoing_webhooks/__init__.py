"""Outgoing webhooks: events of a product that are sent to other systems and chats."""
