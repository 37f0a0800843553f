"""The seven raw tables of TalkingData Mobile User Demographics, as Kaggle gives them."""

from __future__ import annotations

from sparksweep.ingest import Column, Placeholders, Reference, TableSchema

__all__ = ["GROUPS", "SCHEMAS"]

GROUPS = (
    "F23-",
    "F24-26",
    "F27-28",
    "F29-32",
    "F33-42",
    "F43+",
    "M22-",
    "M23-26",
    "M27-28",
    "M29-31",
    "M32-38",
    "M39+",
)
"""The classes to tell apart, gender and age, sorted."""

DEVICE = Reference("device_id", ("gender_age_train", "gender_age_test"))

SCHEMAS = (
    TableSchema(
        "gender_age_train",
        (Column("device_id", "int64"), Column("gender", "string"), Column("age", "int32"), Column("group", "string")),
        key=("device_id",),
    ),
    TableSchema(
        "gender_age_test",
        (Column("device_id", "int64"),),
        key=("device_id",),
        apart_from=("gender_age_train",),
    ),
    TableSchema(
        "phone_brand_device_model",
        (Column("device_id", "int64"), Column("phone_brand", "string"), Column("device_model", "string")),
        key=("device_id",),
        repeated_key="first",
        drop_duplicates=True,
        references=(DEVICE,),
        listed=("phone_brand", "device_model"),
    ),
    TableSchema(
        "events",
        (
            Column("event_id", "int32"),
            Column("device_id", "int64"),
            Column("timestamp", "timestamp"),
            Column("longitude", "float64"),
            Column("latitude", "float64"),
        ),
        key=("event_id",),
        references=(DEVICE,),
        placeholders=(Placeholders(("longitude", "latitude"), ((0.0, 0.0), (1.0, 1.0), (104.0, 30.0))),),
    ),
    TableSchema(
        "app_events",
        (
            Column("event_id", "int32"),
            Column("app_id", "int64"),
            Column("is_installed", "int8"),
            Column("is_active", "int8"),
        ),
        key=("event_id", "app_id"),
        repeated_key="warn",
        references=(Reference("event_id", ("events",)), Reference("app_id", ("app_labels",))),
    ),
    TableSchema(
        "app_labels",
        (Column("app_id", "int64"), Column("label_id", "int32")),
        drop_duplicates=True,
        references=(Reference("label_id", ("label_categories",)),),
    ),
    TableSchema("label_categories", (Column("label_id", "int32"), Column("category", "string")), key=("label_id",)),
)
"""In the order of their size on the way in: train, test, phone, events, app_events, app_labels, label_categories."""
