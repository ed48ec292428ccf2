"""What the rest of the product must know of this service."""

from backstay.services.declaration import Service

SERVICE = Service(
    units=("mysql", "mysqld", "mariadb"), modules=("pymysql",), programs=("mariadbd", "mysqld"), files=32768
)
