"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.changes import change_list, product_changes
from muniment.server.changes import views as changes

urlpatterns = [
    path("changes", change_list.list_changes, name="changes"),
    path("products/<slug:slug>/changes", product_changes.list_product_changes, name="product-changes"),
    path("changes/<int:number>", changes.show_change, name="change"),
    path("changes/<int:number>/reevaluate", changes.reevaluate_change, name="again"),
]
