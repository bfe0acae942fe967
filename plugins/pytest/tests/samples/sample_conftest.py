import os
import sqlite3
from pathlib import Path

import pytest
from pytest_muniment import Project, SqliteState

DATABASE = Path(__file__).with_name("shop.db")
os.environ["SHOP_DATABASE"] = str(DATABASE)


@pytest.fixture(scope="session")
def muniment_project():
    connection = sqlite3.connect(DATABASE)
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT)")
    connection.commit()
    connection.close()
    return Project(
        state=SqliteState(DATABASE),
        sign_in=lambda client, identity: {"X-User": identity},
        private=["secret "],
    )
