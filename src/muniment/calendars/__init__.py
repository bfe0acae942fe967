"""Security reviews and retros on calendars: when they are due, whom they take, and how people are invited.

    activity        whether a product is active, and so needs meetings
    rhythm          due dates of a product's meetings
    working_days    holidays and weekends of regions
    planning        dates and attendees of the meetings that are due
    meetings        values: a meeting, its seats, its moves
    invitations     iCalendar that invites, cancels, and feeds a person's calendar
    reply_lines     calendar of a reply, read from a hostile mail
    replies         what a reply answers, and whether it counts
    notices         reminders before a meeting, escalations after it

Functions here read no clock and start nothing: the day, the people and the meetings so far are arguments.
"""
