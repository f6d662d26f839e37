"""The edge to Kingdee Cloud Xingkong: logging in, asking, and telling its many ways of failing apart."""
