"""What the guards of the sample ask. Only an administrator may do anything."""

import os
import sqlite3


def ask_1(user): return user == "admin"
def ask_2(user): return user == "admin"
def ask_3(user): return user == "admin"
def ask_4(user): return "admin" if user == "admin" else "guest"
def ask_5(user): return user == "admin"
def ask_6(user): return user == "admin"
def ask_7(): return True
def ask_8(user): return user != "admin"
def ask_9(user): return user == "admin"
def ask_10(user): return user == "admin"
def ask_11(user): return user == "admin"


class Policy:
    def ask_12(self, user):
        return user == "admin"


def connect():
    return sqlite3.connect(os.environ["SHOP_DATABASE"], isolation_level=None)


def add_order(connection, owner):
    connection.execute("INSERT INTO orders (owner) VALUES (?)", (owner,))
