"""Conditions of a call: how soon it may go, with which leave, what is read before it, how long its trace is waited for, when again."""
