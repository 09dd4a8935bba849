SELECT 1 FROM pragma_table_info('_sqlx_migrations') WHERE name = 'checksum'
