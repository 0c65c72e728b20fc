# Helpers that tests share; each unit test is listed in the local.mk of the
# folder that it tests.
