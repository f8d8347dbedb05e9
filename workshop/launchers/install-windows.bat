@echo off
rem Installs the course out of this folder, without internet:  install-windows.bat [FOLDER]
setlocal
for %%V in (@PYTHONS@) do (
  py -%%V -c "" >nul 2>nul && (
    py -%%V "%~dp0install.py" %*
    pause
    exit /b
  )
)
python "%~dp0install.py" %*
if errorlevel 9009 echo This kit is for Python @PYTHONS@, and none was found. Its installer may be in the folder "python" of this stick, or is at python.org.
pause
