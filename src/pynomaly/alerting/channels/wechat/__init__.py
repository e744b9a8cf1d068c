"""WeChat Work."""
