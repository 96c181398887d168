"""The addresses of orders."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("orders", views.create_order),
    path("orders/<str:run_id>", views.read_order),
    path("orders/<str:run_id>/events", views.follow_order),
]
