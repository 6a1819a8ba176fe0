"""The application: pages of Streamlit over `lookbook.views`, on this machine alone. It never imports torch."""
