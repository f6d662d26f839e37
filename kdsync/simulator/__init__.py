"""A Kingdee and a DingTalk to try kdsync against: faithful, on loopback, and ready to fail on demand."""
